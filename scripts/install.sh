#!/bin/sh
# The plugin's install and update hook: install.sh [update]. A binary that was shipped is used as it is; in a checkout it is
# built, and built again on update. Nothing is downloaded but Rust packages, by cargo.
set -eu

# Helm 4 gives a hook no HELM_BIN, and both give the plugin's folder.
plugin=${HELM_PLUGIN_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
binary=$plugin/bin/csghub

fail() {
  echo "csghub: $*" >&2
  echo "csghub: Helm keeps a plugin whose installation failed; before the next try: helm plugin uninstall csghub" >&2
  exit 1
}

is_checkout() { [ -f "$plugin/Cargo.toml" ]; }

uses_binary() {
  if [ "${1:-}" = update ] && is_checkout; then return 1; fi
  [ -x "$binary" ] && "$binary" --version >/dev/null 2>&1
}

if uses_binary "${1:-}"; then
  echo "csghub: using $("$binary" --version)"
  exit 0
fi
is_checkout ||
  fail "this archive has no binary for $(uname -s) $(uname -m): get the one for this machine, or install from a checkout"
echo "csghub: building from this checkout; it takes a few minutes"
"$plugin/scripts/build" ||
  fail "the build failed, see above; an archive with a binary needs no compiler"
