# Shared by the scripts: what a build needs, and how to say that it is missing.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# The Rust the crate asks for, from Cargo.toml: said once, there.
need_build_tools() {
    command -v cargo >/dev/null 2>&1 || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null 2>&1 ||
        die "cargo is not installed. Install Rust (https://rustup.rs) and run this again."
    local wanted have
    wanted="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
    have="$(rustc --version | cut -d' ' -f2 | cut -d- -f1)"
    [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
        die "Rust $have is too old: $wanted or newer is needed. Run \`rustup update stable\` and this again."
    command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 ||
        die "there is no C compiler (SQLite is built from source). Install one (Debian, Ubuntu: \`apt-get install gcc libc6-dev\`; macOS: \`xcode-select --install\`) and run this again."
}
