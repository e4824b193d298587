//! The floors of this crate, kept by a test: a file imports only from its own floor and from those below it.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// From the top down. Whatever is not named here is a violation, so that a new folder gets its place.
const FLOORS: &[&str] =
    &["web", "operations", "server", "error", "directory", "store", "brokers", "users", "session", "util"];

#[test]
fn no_file_imports_from_a_floor_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    for file in sources(&root) {
        let path = file.strip_prefix(&root).unwrap();
        let own = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if own == "lib" || own == "floors" {
            continue;
        }
        let own = FLOORS.iter().position(|floor| *floor == own).expect(own);
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for import in imports(&code) {
            match FLOORS.iter().position(|floor| *floor == import) {
                Some(floor) if floor >= own => {}
                _ => violations.push(format!("{} imports {import}", path.display())),
            }
        }
    }
    assert!(violations.is_empty(), "floors, from the top down: {FLOORS:?}\n{}", violations.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let code = code_of(
        "use crate::{\n    session::{Link, policy::Policy},\n    store::Store, web, // crate::comment\n};\n\
         use crate::util::clock;\nfn f() { crate::users::g() }\n#[cfg(test)]\nmod tests { use crate::tests; }",
    );
    assert_eq!(imports(&code), HashSet::from(["session", "store", "web", "util", "users"]));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_code = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs");
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().filter(is_code).chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// Without comments and tests.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first segment of every path that starts with `crate::`.
fn imports(code: &str) -> HashSet<&str> {
    let mut found = HashSet::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            None => drop(found.insert(identifier(path))),
            Some(list) => {
                let (mut depth, mut start) = (0_usize, 0);
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth > 0 => depth -= 1,
                        ',' | '}' if depth == 0 => {
                            let name = identifier(list[start..at].trim_start());
                            if !name.is_empty() {
                                found.insert(name);
                            }
                            start = at + 1;
                            if c == '}' {
                                break;
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}
