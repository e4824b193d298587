//! The scripts, each of which Redis runs as one step.

use redis::Script;

/// A script with what all of them begin with.
macro_rules! script {
    ($name:literal) => {
        Script::new(concat!(include_str!("scripts/prelude.lua"), include_str!(concat!("scripts/", $name, ".lua"))))
    };
}

macro_rules! scripts {
    ($($field:ident: $name:literal,)*) => {
        /// All of them; Redis knows each by its hash, and is sent the text when it does not know it yet.
        pub(super) struct Scripts {
            $(pub(super) $field: Script,)*
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                Self { $($field: script!($name),)* }
            }
        }
    };
}

scripts! {
    insert: "insert",
    get: "get",
    load: "load",
    resolve: "resolve",
    update: "update",
    touch: "touch",
    due: "due",
    link: "link",
    called: "called",
    unlink: "unlink",
    links_of: "links_of",
    of_user: "of_user",
    consume: "consume",
    put_family: "put_family",
    family: "family",
    remove_families: "remove_families",
    remove_sessions: "remove_sessions",
    remove_session_of: "remove_session_of",
    families_of: "families_of",
}
