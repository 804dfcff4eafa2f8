//! The pages' engine: templates of the house in one frame, with one style sheet.
//!
//! **Invariant:** every text goes out through the formatter of
//! [`crate::render::html::environment`]: visible, and escaped. Markup is made by templates, and by
//! [`super::drawing`] and [`crate::render::charts`], which escape by themselves.

use super::http::HttpAnswer;
use super::problem::RequestProblem;
use crate::inputs::file::FileError;
use crate::render::html::{self, Templates};
use minijinja::{UndefinedBehavior, Value};
use serde::Serialize;
use std::path::Path;

/// The templates, by name.
const TEMPLATES: [(&str, &str); 15] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("tonight.html", include_str!("templates/tonight.html")),
    ("calls.html", include_str!("templates/calls.html")),
    ("call.html", include_str!("templates/call.html")),
    ("source.html", include_str!("templates/source.html")),
    ("numbers.html", include_str!("templates/numbers.html")),
    ("waiting.html", include_str!("templates/waiting.html")),
    ("customers.html", include_str!("templates/customers.html")),
    ("customer.html", include_str!("templates/customer.html")),
    ("month.html", include_str!("templates/month.html")),
    ("rates.html", include_str!("templates/rates.html")),
    ("nights.html", include_str!("templates/nights.html")),
    ("problem.html", include_str!("templates/problem.html")),
    ("pending.html", include_str!("templates/pending.html")),
    ("login.html", include_str!("templates/login.html")),
];

/// The style sheet: that of the documents, and what a console has beside it.
const STYLE: &str =
    concat!(include_str!("../render/templates/style.css"), include_str!("templates/console.css"));

/// The places that a page may be at, in the order of the menu.
pub const PLACES: [(&str, &str); 7] = [
    ("/", "Tonight"),
    ("/calls", "Calls"),
    ("/waiting", "Waiting"),
    ("/customers", "Customers"),
    ("/month", "Month"),
    ("/rates", "Rates"),
    ("/nights", "Nights"),
];

/// What stands around a page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PageFrame {
    /// Its title.
    pub title: String,
    /// The place in the menu that it belongs to.
    pub place: &'static str,
    /// What stands in the search box.
    pub search: String,
    /// True if it is being computed: it asks again by itself.
    pub reloads: bool,
    /// The last run of the state that it shows.
    pub run: Option<String>,
    /// A newer run, whose sums are not there yet.
    pub newer_run: Option<String>,
    /// True if numbers are masked.
    pub masks: bool,
    /// True if there is a menu: not on the page of the login.
    pub has_menu: bool,
}

/// The engine.
pub struct PageEngine {
    templates: Templates,
    style_tag: String,
}

impl PageEngine {
    /// The engine with its templates.
    ///
    /// # Errors
    /// A template that does not compile, which would be a bug of it.
    pub fn new() -> Result<Self, FileError> {
        let mut templates = html::environment(None)?;
        for (name, text) in TEMPLATES {
            let added = templates.environment.add_template(name, text);
            added.map_err(|e| FileError::new(Path::new(name), format!("{e:#}")))?;
        }
        // What a page need not have is asked for by `if`; printing what is not there is an error.
        templates.environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        templates.environment.add_filter("ticks", crate::render::report::ticks);
        let style_tag = blake3::hash(STYLE.as_bytes()).to_hex()[..12].to_owned();
        Ok(Self { templates, style_tag })
    }

    /// The style sheet.
    #[must_use]
    pub fn style() -> HttpAnswer {
        HttpAnswer { is_fixed: true, ..HttpAnswer::new(200, "text/css; charset=utf-8", STYLE) }
    }

    /// The tag of this version of the pages.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.style_tag
    }

    /// A page.
    ///
    /// # Errors
    /// If its template cannot be filled, which would be a bug of it.
    pub fn page(
        &self,
        status: u16,
        frame: &PageFrame,
        template: &str,
        context: impl Serialize,
    ) -> Result<HttpAnswer, RequestProblem> {
        #[derive(Serialize)]
        struct Framed<'a> {
            frame: &'a PageFrame,
            places: Vec<MenuPlace>,
            style_tag: &'a str,
            content: Value,
        }
        #[derive(Serialize)]
        struct MenuPlace {
            href: &'static str,
            name: &'static str,
            is_here: bool,
        }
        let bug = |e: FileError| RequestProblem::new(500, e.to_string());
        let content = Value::from_safe_string(self.templates.fill(template, context).map_err(bug)?);
        let place = |(href, name)| MenuPlace { href, name, is_here: href == frame.place };
        let places = PLACES.into_iter().map(place).collect();
        let framed = Framed { frame, places, style_tag: &self.style_tag, content };
        Ok(HttpAnswer::page(status, self.templates.fill("frame.html", framed).map_err(bug)?))
    }
}
