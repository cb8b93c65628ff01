#!/usr/bin/env bash
# usage: scripts/install.sh [update]
#
# Run by Helm when the plugin is installed or updated: makes sure that bin/csghub is there. A shipped binary is used as it
# is; in a checkout it is built (again, on update). Nothing is ever downloaded but by cargo.
#
# Helm 4 sets only HELM_PLUGIN_NAME and HELM_PLUGIN_DIR, so nothing else is relied on.
set -euo pipefail

say() { printf 'csghub: %s\n' "$*" >&2; }

fail() {
  say "$*"
  say "Helm keeps a plugin whose installation failed; before the next try: helm plugin uninstall csghub"
  exit 1
}

plugin_dir=${HELM_PLUGIN_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
binary=$plugin_dir/bin/csghub

is_checkout() { [[ -f $plugin_dir/Cargo.toml ]]; }

if [[ ! -e $binary ]] || { [[ ${1:-} == update ]] && is_checkout; }; then
  is_checkout || fail "bin/csghub is missing from the archive, and there are no sources to build it from"
  say "building bin/csghub from source; this takes some minutes"
  "$plugin_dir/scripts/build" || fail "the build failed; a release archive brings a built bin/csghub and needs no compiler"
fi

[[ -x $binary ]] || fail "$binary is not executable (is the file system mounted noexec, or were modes lost in unpacking?)"
"$binary" --version >/dev/null || fail "$binary does not run on this machine ($(uname -sm))"
say "ready: helm csghub --help"
