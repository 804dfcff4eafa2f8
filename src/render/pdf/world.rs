//! The files that a template may see: its own folder as it was read at the start, the data of one
//! document, the fonts. Nothing else.
//!
//! **Invariant:** once a [`Shelf`] is made, no file is opened. The disk, packages, the network and
//! the clock are out of a template's reach; asking for any of them is a template error.

use crate::inputs::file::{FileError, read_text};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use typst::diag::{FileError as Missing, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

/// Our own template.
const TEMPLATE: &str = include_str!("../templates/invoice.typ");
/// The frame of every template: metadata, language, fonts, the attached e-invoice.
const MAIN: &str = include_str!("../templates/main.typ");
/// The fonts inside the program; their licence is beside them. First the text fonts, then the font
/// of itemised calls.
const FONTS: [&[u8]; 3] = [
    include_bytes!("../fonts/Inter-Regular.otf"),
    include_bytes!("../fonts/Inter-SemiBold.otf"),
    include_bytes!("../fonts/JetBrainsMono-Regular.ttf"),
];
/// The index of the font of itemised calls.
const MONO: usize = 2;
/// The endings of the files in the user's folder that a template may read.
const ENDINGS: [&str; 6] = ["typ", "svg", "png", "jpg", "jpeg", "json"];
/// The names of a logo: such a file in the user's folder is shown at the head of the page.
const LOGOS: [&str; 4] = ["logo.svg", "logo.png", "logo.jpg", "logo.jpeg"];

/// The data that all documents share; made once.
pub struct Shelf {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: Source,
    template: Source,
    /// The path of the template, if it is the user's.
    user_template: Option<PathBuf>,
    /// The other files of the user's folder.
    files: Vec<(FileId, Bytes)>,
    /// The user's logo, by its name in the folder.
    logo: Option<String>,
    data: FileId,
    e_invoice: FileId,
}

impl Shelf {
    /// Reads the user's template and fonts, if there are any.
    ///
    /// # Errors
    /// A folder or a file that cannot be read, a file that is not a font, or a name that the
    /// program uses itself.
    pub fn new(templates: Option<&Path>, fonts: Option<&Path>) -> Result<Self, FileError> {
        let mut shelf = Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::new()),
            fonts: FONTS.iter().flat_map(|bytes| Font::iter(Bytes::new(*bytes))).collect(),
            main: Source::new(id("main.typ"), MAIN.to_owned()),
            template: Source::new(id("invoice.typ"), TEMPLATE.to_owned()),
            user_template: None,
            files: Vec::new(),
            logo: None,
            data: id("invoice.json"),
            e_invoice: id("factur-x.xml"),
        };
        if let Some(folder) = fonts {
            shelf.read_fonts(folder)?;
        }
        if let Some(folder) = templates {
            shelf.read_templates(folder)?;
        }
        shelf.book = LazyHash::new(FontBook::from_fonts(&shelf.fonts));
        Ok(shelf)
    }

    fn read_fonts(&mut self, folder: &Path) -> Result<(), FileError> {
        for path in files(folder, &["ttf", "otf", "ttc", "otc"])? {
            let before = self.fonts.len();
            let bytes = read(&path)?;
            if faces(&bytes) > bytes.len() {
                let problem = format!(
                    "is no font: it says that it holds {} faces in {} bytes",
                    faces(&bytes),
                    bytes.len()
                );
                return Err(
                    FileError::new(&path, problem).hint("take it out of the folder, or replace it")
                );
            }
            self.fonts.extend(Font::iter(Bytes::new(bytes)));
            if self.fonts.len() == before {
                let problem = "is no font; expected TrueType or OpenType";
                return Err(
                    FileError::new(&path, problem).hint("take it out of the folder, or replace it")
                );
            }
        }
        Ok(())
    }

    fn read_templates(&mut self, folder: &Path) -> Result<(), FileError> {
        let reserved = [self.main.id(), self.data, self.e_invoice];
        for path in files(folder, &ENDINGS)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(place) = VirtualPath::new(name) else { continue };
            let id = RootedPath::new(VirtualRoot::Project, place).intern();
            if reserved.contains(&id) {
                let problem = "has a name that the program uses itself";
                return Err(FileError::new(&path, problem).hint("give it another name"));
            }
            if id == self.template.id() {
                self.template = Source::new(id, read_text(&path)?);
                self.user_template = Some(path);
                continue;
            }
            if LOGOS.contains(&name) && self.logo.is_none() {
                self.logo = Some(name.to_owned());
            }
            self.files.push((id, Bytes::new(read(&path)?)));
        }
        Ok(())
    }

    /// The text font families, our own first: the order in which a glyph is looked up.
    pub fn families(&self) -> Vec<String> {
        let mut families: Vec<String> = Vec::new();
        for font in self.fonts[..MONO].iter().chain(self.user_fonts()) {
            let family = &font.info().family;
            if !families.contains(family) {
                families.push(family.clone());
            }
        }
        families
    }

    /// True if each of our own text fonts has a glyph for a character that is not private-use:
    /// PDF/A-3a forbids those.
    pub fn own_fonts_have(&self, c: char) -> bool {
        !is_private(c)
            && self.fonts[..MONO].iter().all(|font| font.info().coverage.contains(u32::from(c)))
    }

    /// True if our own text fonts, or any font of the user, have a glyph for the character.
    pub fn fonts_have(&self, c: char) -> bool {
        let has = |font: &Font| font.info().coverage.contains(u32::from(c));
        self.own_fonts_have(c) || !is_private(c) && self.user_fonts().iter().any(has)
    }

    /// True if the font of itemised calls has a glyph for the character.
    pub fn mono_has(&self, c: char) -> bool {
        !is_private(c) && self.fonts[MONO].info().coverage.contains(u32::from(c))
    }

    /// The fonts that the user gave.
    pub fn user_fonts(&self) -> &[Font] {
        &self.fonts[FONTS.len()..]
    }

    /// The path of the template, if it is the user's.
    pub fn user_template(&self) -> Option<&Path> {
        self.user_template.as_deref()
    }

    /// The user's logo, by its name in the folder.
    pub fn logo(&self) -> Option<&str> {
        self.logo.as_deref()
    }

    /// The template's id among the files that a template sees.
    pub fn template(&self) -> FileId {
        self.template.id()
    }
}

/// True for a private-use character, whose meaning depends on the font.
fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// The number of faces that a font collection claims to have; 1 for a single font. `Font::iter`
/// tries each of them, present or not.
fn faces(bytes: &[u8]) -> usize {
    match bytes.split_first_chunk::<12>() {
        Some(([b't', b't', b'c', b'f', _, _, _, _, a, b, c, d], _)) => {
            usize::try_from(u32::from_be_bytes([*a, *b, *c, *d]))
                .expect("32 bits fit a place in memory")
        }
        _ => 1,
    }
}

/// The files of a folder with one of these endings, by name.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, FileError> {
    let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if endings.contains(&ending.as_str()) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))
}

fn id(name: &str) -> FileId {
    RootedPath::new(VirtualRoot::Project, VirtualPath::new(name).expect("a plain name")).intern()
}

/// The view of typst on one document: the shelf, its data, its date.
pub struct TypstWorld {
    /// The data that all documents share.
    pub shelf: Arc<Shelf>,
    /// `invoice.json`.
    pub data: Bytes,
    /// `factur-x.xml`, if one is attached.
    pub e_invoice: Option<Bytes>,
    /// The date that a template sees as today: the day of issue.
    pub today: Option<Datetime>,
}

impl World for TypstWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.shelf.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.shelf.book
    }

    fn main(&self) -> FileId {
        self.shelf.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if let Some(source) =
            [&self.shelf.main, &self.shelf.template].into_iter().find(|source| source.id() == id)
        {
            return Ok(source.clone());
        }
        let bytes = self.file(id)?;
        Ok(Source::new(id, bytes.as_str().map_err(|_| Missing::InvalidUtf8)?.to_owned()))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.shelf.data {
            return Ok(self.data.clone());
        }
        let missing = || Missing::NotFound(id.vpath().get_without_slash().into());
        if id == self.shelf.e_invoice {
            return self.e_invoice.clone().ok_or_else(missing);
        }
        let found = self.shelf.files.iter().find(|(file, _)| *file == id);
        found.map(|(_, bytes)| bytes.clone()).ok_or_else(missing)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shelf.fonts.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        self.today
    }
}
