#!/bin/sh
# The plugin's install hook. A binary that was shipped is used as it is; from a checkout it is built. Nothing is downloaded
# but Rust packages, by cargo.
set -eu

# Helm 4 gives a hook no HELM_BIN, and both give the plugin's folder.
plugin=${HELM_PLUGIN_DIR:-$(cd "$(dirname "$0")/.." && pwd)}

if [ -x "$plugin/bin/csghub" ] && "$plugin/bin/csghub" --version >/dev/null 2>&1; then
  echo "csghub: using $("$plugin/bin/csghub" --version)"
  exit 0
fi
if [ ! -f "$plugin/Cargo.toml" ]; then
  echo "csghub: this archive has no binary for $(uname -s) $(uname -m): get the one for this machine, or install from a checkout" >&2
  exit 1
fi
if ! command -v cargo >/dev/null 2>&1; then
  echo "csghub: building from a checkout needs cargo (https://rustup.rs) and a C compiler: install them, or use an archive with a binary" >&2
  exit 1
fi
echo "csghub: building from this checkout; it takes a few minutes"
exec "$plugin/scripts/build"
