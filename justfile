# The same commands as in the README, for those who have `just`.

# All sites of the demo
demo *options:
    cargo run -- demo {{options}}

# The server alone, with the configuration in sso.toml
server *options:
    cargo run -- server {{options}}

# Two nodes of the server on one Redis, nginx in front of them, and two broker sites
nodes *options:
    demo/nodes.sh {{options}}

# Every test; installs what they need on Debian
test *arguments:
    tests/run {{arguments}}

# What a submission must pass
ci:
    .ci/run

# Formats the code and shows what clippy thinks of it
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# The documentation of all crates, in the browser
doc:
    cargo doc --workspace --no-deps --open
