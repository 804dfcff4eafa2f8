//! Pages of Markdown, cut into what is held: blocks of code, headings, links.

use std::path::Path;

/// A page.
pub struct DocPage {
    /// Its path below the root: `docs/src/howto/nightly.md`.
    pub name: String,
    pub text: String,
}

/// A block between fences.
#[derive(Debug)]
pub struct DocBlock {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    /// Its text, each line with its end.
    pub text: String,
    /// Where its text is in the page.
    pub range: std::ops::Range<usize>,
    /// The comments right above it: `<!-- key: value -->`.
    pub marks: Vec<(String, String)>,
}

impl DocBlock {
    /// The value of a mark.
    pub fn mark(&self, key: &str) -> Option<&str> {
        self.marks.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// The root of the tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and every page below `docs/src`, in the order of names.
pub fn pages() -> Vec<DocPage> {
    let mut paths = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of pages") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let pages: Vec<DocPage> = paths.into_iter().map(|path| read(&path)).collect();
    assert!(pages.len() > 25, "the pages were found");
    pages
}

/// A page by its path.
pub fn read(path: &Path) -> DocPage {
    let text = std::fs::read_to_string(path).expect("a page");
    let name = path.strip_prefix(root()).expect("below the root").display().to_string();
    DocPage { name, text }
}

impl DocPage {
    /// Its blocks, in order.
    pub fn blocks(&self) -> Vec<DocBlock> {
        let (mut blocks, mut marks, mut open, mut at) = (Vec::new(), Vec::new(), None, 0);
        for (number, line) in (1..).zip(self.text.split_inclusive('\n')) {
            let start = at;
            at += line.len();
            if let Some(language) = line.strip_prefix("```") {
                match open.take() {
                    None => {
                        let marks = std::mem::take(&mut marks);
                        open = Some((number, language.trim().to_owned(), at, marks));
                    }
                    Some((line, language, from, marks)) => {
                        let text = self.text[from..start].to_owned();
                        blocks.push(DocBlock { line, language, text, range: from..start, marks });
                    }
                }
            } else if open.is_none() {
                let comment =
                    line.trim().strip_prefix("<!-- ").and_then(|c| c.strip_suffix(" -->"));
                if let Some((key, value)) = comment.and_then(|comment| comment.split_once(": ")) {
                    marks.push((key.to_owned(), value.to_owned()));
                } else if !line.trim().is_empty() {
                    marks.clear();
                }
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name);
        blocks
    }

    /// Its lines outside of blocks, with their numbers.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut in_block = false;
        let mut found = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            if line.starts_with("```") {
                in_block = !in_block;
            } else if !in_block {
                found.push((number, line));
            }
        }
        found
    }

    /// The anchors of its headings, as `mdBook` and GitHub make them.
    pub fn anchors(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (_, line) in self.prose() {
            let Some(title) = line.trim_start_matches('#').strip_prefix(' ') else { continue };
            if !line.starts_with('#') {
                continue;
            }
            let anchor = slug(title);
            let again = found.iter().filter(|other| **other == anchor).count();
            found.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
        }
        found
    }

    /// The targets of its links and pictures, with the lines that they stand in.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            for (at, _) in line.match_indices("](") {
                let rest = &line[at + 2..];
                let target = rest.split(')').next().expect("a text has a first part");
                found.push((number, target.to_owned()));
            }
        }
        found
    }
}

/// A heading as an anchor: lower case, blanks as hyphens, other signs left out.
pub fn slug(title: &str) -> String {
    let title = title.trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_page_is_cut_where_its_fences_stand() {
    let text = "# A `b` c?\n\n<!-- file: x.toml -->\n\n```toml\na = 1\n```\n\nsee [x](y.md#z)\n";
    let page = DocPage { name: "x".to_owned(), text: text.to_owned() };
    let blocks = page.blocks();
    assert_eq!((blocks.len(), blocks[0].line, blocks[0].text.as_str()), (1, 5, "a = 1\n"));
    assert_eq!(blocks[0].mark("file"), Some("x.toml"));
    assert_eq!(page.anchors(), ["a-b-c"]);
    assert_eq!(page.links(), [(9, "y.md#z".to_owned())]);
}
