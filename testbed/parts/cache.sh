# Where built things live: outside the clone, keyed by content, shared by all clones. Sourced, not run.

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${ALDIS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aldis}

# Ends the script with a message.
die() {
    echo "testbed: $*" >&2
    exit 1
}

# Hashes what it reads; 24 digits are enough for a folder's name.
digest() { sha256sum | cut -c1-24; }

# once FOLDER MAKE: runs MAKE with a new folder as its argument unless FOLDER is there already, then renames it to FOLDER.
# It appears whole or not at all, and two callers at once build it once.
once() {
    local folder=$1 made=$2
    [ -e "$folder" ] && return
    mkdir -p "${folder%/*}"
    (
        flock 9
        [ -e "$folder" ] && exit 0
        partial=$(mktemp -d "$folder.XXXXXX")
        trap 'rm -rf "$partial"' EXIT
        started=$SECONDS
        "$made" "$partial"
        chmod 755 "$partial"
        mv -T "$partial" "$folder"
        trap - EXIT
        echo "built ${folder#"$cache"/} in $((SECONDS - started)) s" >&2
    ) 9>"$folder.lock"
}
