//! The Factur-X 1.0 (`ZUGFeRD` 2) metadata of a hybrid invoice: without it, programs that read such
//! invoices do not look for the attachment.
//!
//! **Invariant:** the original bytes of the file are unchanged; a second version of its metadata is
//! appended as an incremental update (ISO 32000-1, 7.5.6).
//!
//! # Why by hand
//! typst writes the metadata that PDF/A requires and accepts no other. The two elements are fixed
//! text, and the trailer at the end of the file gives the place of everything else.

use std::fmt::Write;

/// The XML namespace that a reader looks for.
const NAMESPACE: &str = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#";
/// The four properties: name and meaning.
const PROPERTIES: [(&str, &str); 4] = [
    ("DocumentFileName", "The name of the embedded XML document"),
    ("DocumentType", "The type of the hybrid document in capital letters"),
    ("Version", "The actual version of the standard applying to the embedded XML document"),
    ("ConformanceLevel", "The conformance level of the embedded XML document"),
];

/// The file with the metadata of a hybrid invoice; `None` if its metadata is not where typst writes
/// it.
pub fn named(mut pdf: Vec<u8>, xml: &str) -> Option<Vec<u8>> {
    let tail = text_after(&pdf, memchr::memmem::rfind(&pdf, b"trailer\n")?)?;
    let size = number_after(tail, "/Size ")?;
    let root = number_after(tail, "/Root ")?;
    let start = number_after(tail, "startxref\n")?;
    let ids = tail.get(tail.find("/ID[")?..)?.split_once(']')?.0;
    let info = tail.contains("/Info ").then(|| number_after(tail, "/Info ")).flatten();
    let catalog =
        text_after(&pdf, memchr::memmem::rfind(&pdf, format!("\n{root} 0 obj\n").as_bytes())?)?;
    let metadata = number_after(catalog, "/Metadata ")?;
    let object = format!("\n{metadata} 0 obj\n");
    let at = memchr::memmem::rfind(&pdf, object.as_bytes())? + 1;
    let old = pdf.get(at..)?;
    let packet = memchr::memmem::find(old, b"<?xpacket begin")?;
    let end = memchr::memmem::find(old, b"\nendstream")?;
    let packet = extended(std::str::from_utf8(old.get(packet..end)?).ok()?, level(xml))?;

    let mut update = String::new();
    if !pdf.ends_with(b"\n") {
        update.push('\n');
    }
    let place = pdf.len() + update.len();
    let length = packet.len();
    write!(
        update,
        "{metadata} 0 obj\n<</Length \
         {length}/Type/Metadata/Subtype/XML>>\nstream\n{packet}\nendstream\nendobj\n"
    )
    .ok()?;
    let xref = pdf.len() + update.len();
    let info = info.map(|info| format!("/Info {info} 0 R")).unwrap_or_default();
    write!(update, "xref\n0 1\n0000000000 65535 f\r\n{metadata} 1\n{place:010} 00000 n\r\n")
        .ok()?;
    write!(
        update,
        "trailer\n<</Size {size}/Root {root} 0 R{info}{ids}]/Prev \
         {start}>>\nstartxref\n{xref}\n%%EOF\n"
    )
    .ok()?;
    pdf.extend_from_slice(update.as_bytes());
    Some(pdf)
}

/// The metadata with the four properties and their PDF/A extension schema.
fn extended(packet: &str, level: &str) -> Option<String> {
    let mut properties = String::new();
    for (name, meaning) in PROPERTIES {
        write!(
            properties,
            "<rdf:li rdf:parseType=\"Resource\">\
             <pdfaProperty:name>{name}</pdfaProperty:name>\
             <pdfaProperty:valueType>Text</pdfaProperty:valueType>\
             <pdfaProperty:category>external</pdfaProperty:category>\
             <pdfaProperty:description>{meaning}</pdfaProperty:description></rdf:li>"
        )
        .ok()?;
    }
    let schema = format!(
        "<rdf:li rdf:parseType=\"Resource\">\
         <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>\
         <pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI>\
         <pdfaSchema:prefix>fx</pdfaSchema:prefix>\
         <pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    );
    let values = [
        ("DocumentFileName", "factur-x.xml"),
        ("DocumentType", "INVOICE"),
        ("Version", "1.0"),
        ("ConformanceLevel", level),
    ]
    .map(|(name, value)| format!("<fx:{name}>{value}</fx:{name}>"))
    .concat();
    let described = format!(
        "<rdf:Description rdf:about=\"\" \
         xmlns:fx=\"{NAMESPACE}\">{values}</rdf:Description></rdf:RDF>"
    );
    let (before, after) = packet.split_once("<pdfaExtension:schemas><rdf:Bag>")?;
    let whole = format!("{before}<pdfaExtension:schemas><rdf:Bag>{schema}{after}");
    whole.contains("</rdf:RDF>").then(|| whole.replacen("</rdf:RDF>", &described, 1))
}

/// The standard's name for the profile of the e-invoice.
fn level(xml: &str) -> &'static str {
    if xml.contains("xrechnung") { "XRECHNUNG" } else { "EN 16931" }
}

/// The text from an offset up to the first byte that is not UTF-8.
fn text_after(pdf: &[u8], at: usize) -> Option<&str> {
    let bytes = pdf.get(at..)?;
    let text = bytes.utf8_chunks().next()?;
    Some(text.valid())
}

/// The number that follows a word.
fn number_after(text: &str, word: &str) -> Option<usize> {
    let rest = text.split_once(word)?.1;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..digits)?.parse().ok()
}
