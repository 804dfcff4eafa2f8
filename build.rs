//! The linking of the command: relative relocations are packed (`DT_RELR`), 85.2 MB instead of 90.2.
//!
//! # Why
//! A program that may be loaded anywhere has an entry of 24 bytes for each address in its tables;
//! 212,000 of them are relative, and pack into 65 KB. It needs glibc 2.36 (Debian 12) where it runs.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
