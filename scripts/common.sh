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

# Puts packages of PyPI into a virtual environment in a folder; calls the script's own `skip` where that is impossible.
need_python() {
    local venv="$1"
    shift
    command -v python3 >/dev/null 2>&1 || skip "python3 is not installed."
    mkdir -p "$venv"
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv" ||
        skip "python3 has no venv (Debian, Ubuntu: \`apt-get install python3-venv\`)."
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$@" || skip "PyPI cannot be reached."
}

# Sets TEST_DATABASE_URL and what belongs to it: to a server of our own that ends with the script, where none is named.
need_postgres() {
    [ -z "${TEST_DATABASE_URL:-}" ] || return 0
    postgres="$(mktemp -d "${TMPDIR:-/tmp}/barkeep-postgres.XXXXXX")"
    trap './scripts/postgres stop "$postgres" immediate >/dev/null 2>&1 || true; rm -rf "$postgres"' EXIT
    if TEST_DATABASE_URL="$(./scripts/postgres start "$postgres")"; then
        export TEST_DATABASE_URL
        [ ! -f "$postgres/server.crt" ] || export TEST_DATABASE_CERTIFICATE="$postgres/server.crt"
        if TEST_DATABASE_POOL="$(./scripts/postgres pool "$postgres")"; then
            export TEST_DATABASE_POOL
        else
            unset TEST_DATABASE_POOL
            say "SKIPPED: tests behind a connection pooler, because there is none to test with"
        fi
    else
        unset TEST_DATABASE_URL
        say "SKIPPED: every test against PostgreSQL, because there is no server to test with"
    fi
}
