//! The scripts, each of which Redis runs as one step.

use redis::Script;

macro_rules! scripts {
    ($($name:ident)*) => {
        /// All of them; Redis knows each by its hash, and is sent the text when it does not know it yet.
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)*
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                let prelude = include_str!("prelude.lua");
                let script = |text| Script::new(&format!("{prelude}{text}"));
                Self { $($name: script(include_str!(concat!(stringify!($name), ".lua"))),)* }
            }
        }
    };
}

scripts! {
    insert get load resolve update touch due link called consume put_family family list remove
}
