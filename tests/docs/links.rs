//! Links of README and `docs/`: to pages, headings, files and pictures that there are.

use super::pages::{DocPage, pages, read, root};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(plain.pop(), "{}: within the root", path.display());
        } else if part != Component::CurDir {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages() {
        for (line, target) in page.links() {
            links += 1;
            if target.starts_with("http://") || target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let here = Path::new(&page.name).parent().expect("a folder");
            let name =
                if path.is_empty() { PathBuf::from(&page.name) } else { plain(&here.join(path)) };
            let file = root().join(&name);
            let has_anchor = || read(&file).anchors().iter().any(|found| found == anchor);
            if !file.exists() || (!anchor.is_empty() && !has_anchor()) {
                broken.push(format!("{}:{line}: {target}", page.name));
            }
        }
    }
    assert!(links > 60, "the links were found");
    assert_eq!(broken, Vec::<String>::new());
}

/// A page of the book links to pages of the book and to pictures: another file of the tree is not
/// there where the book is read.
#[test]
fn the_book_links_to_itself() {
    for page in pages().into_iter().filter(|page| page.name.starts_with("docs/")) {
        for (line, target) in page.links() {
            let path = target.split('#').next().expect("a text has a first part");
            if path.is_empty() || path.starts_with("http") {
                continue;
            }
            let here = Path::new(&page.name).parent().expect("a folder");
            let name = plain(&here.join(path));
            let is_own = name.starts_with("docs/src") || name.starts_with("docs/pictures");
            assert!(is_own, "{}:{line}: {target} is outside of the book", page.name);
        }
    }
}

/// Every page is in the table of contents, once.
#[test]
fn the_contents_name_every_page() {
    let summary = read(&root().join("docs/src/SUMMARY.md"));
    let named: Vec<String> = summary.links().into_iter().map(|(_, target)| target).collect();
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a page is named once");
    let is_page =
        |page: &DocPage| page.name.starts_with("docs/src/") && !page.name.ends_with("SUMMARY.md");
    let there: BTreeSet<String> = pages()
        .iter()
        .filter(|page| is_page(page))
        .map(|page| page.name.strip_prefix("docs/src/").expect("below").to_owned())
        .collect();
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), there);
}

/// A page has one title, and it comes first. (Those of the contents are its parts.)
#[test]
fn every_page_has_a_title() {
    for page in pages().into_iter().filter(|page| !page.name.ends_with("SUMMARY.md")) {
        let titles = page.prose().iter().filter(|(_, line)| line.starts_with("# ")).count();
        assert!(page.text.starts_with("# ") && titles == 1, "{}: one title, first", page.name);
    }
}
