//! The files of the pages are compiled in; cargo does not see by itself when one is added.

#![allow(missing_docs, clippy::print_stdout)]

fn main() {
    println!("cargo::rerun-if-changed=static");
}
