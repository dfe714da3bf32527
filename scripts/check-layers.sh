#!/usr/bin/env bash
# Fails on an import that goes up, and on a file that is too long.
#
#     scripts/check-layers.sh
#
# The layers are those of the list in docs/ARCHITECTURE.md ("Layers"), which this script reads, so
# that the page cannot differ from what is checked. Every path that begins with `crate::` or
# `super::` counts, wherever it stands, except in comments and in a file's `mod tests`.
# Needs bash, awk and the usual tools of a Unix; builds nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly most_lines=700
readonly map=docs/ARCHITECTURE.md

failed=0

check_package() { # NAME
    find "$1/src" -name '*.rs' | LC_ALL=C sort | awk -v package="$1" -v map="$map" '
        function complain(message) { print message > "/dev/stderr"; bad = 1 }

        # The module of a source file: net/src/tcp/mod.rs is "tcp".
        function module_of(file) {
            sub("^" package "/src/", "", file)
            sub(/\.rs$/, "", file)
            sub(/\/mod$/, "", file)
            return file
        }

        # The layer of a module: that of the longest entry which names it or a folder above it.
        function entry_of(module) {
            while (!(module in layer)) {
                if (module !~ /\//) return ""
                sub(/\/[^\/]*$/, "", module)
            }
            return module
        }

        # The module that holds `path`, e.g. sched::idle::Idle in "sched/idle"; names that are in no
        # module of their own are the root'\''s.
        function resolve(path) {
            gsub(/::/, "/", path)
            while (!(path in is_module)) {
                if (path !~ /\//) return "lib"
                sub(/\/[^\/]*$/, "", path)
            }
            return path
        }

        function folder_of(module) {
            return module ~ /\// ? substr(module, 1, index(module, "/") - 1) : ""
        }

        function import(from, path, where,    to, a, b) {
            to = resolve(path)
            if (to == from) return
            a = entry_of(from); b = entry_of(to)
            if (layer[b] < layer[a]) return
            if (layer[b] == layer[a]) {
                if (a == b || mutual[layer[a]]) return
                if (folder_of(from) != "" && folder_of(from) == folder_of(to)) return
            }
            if ((from, to) in allowed) { used[from, to] = 1; return }
            complain(where ": `" from "` (layer " layer[a] ") imports `" to "` (layer " layer[b] ")")
        }

        # All imports of one statement or line, which begins in line `number`.
        function scan(text, file, number,    module, prefix, rest, path, group, names, count, i) {
            # In a module within the file, which is what an indented one is: the file itself.
            if (text ~ /^[ \t]+(pub(\([a-z]+\))? )?use super::/) return
            module = module_of(file)
            rest = text
            while (match(rest, /(crate|super)::(\{|[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*)/)) {
                path = substr(rest, RSTART, RLENGTH)
                prefix = RSTART > 1 ? substr(rest, RSTART - 1, 1) : " "
                rest = substr(rest, RSTART + RLENGTH)
                if (prefix ~ /[A-Za-z0-9_$:]/) continue
                group = path ~ /\{$/
                if (path ~ /^crate/) {
                    sub(/^crate::/, "", path); prefix = ""
                } else {
                    sub(/^super::/, "", path)
                    prefix = module
                    # The module above: of a folder'\''s file the folder, of a top-level file the root.
                    if (!sub(/\/[^\/]*$/, "", prefix)) prefix = ""
                    if (prefix != "") prefix = prefix "::"
                    gsub(/\//, "::", prefix)
                }
                if (!group) {
                    import(module, prefix path, file ":" number)
                    continue
                }
                # Only the first name of each branch decides, so nested braces may be cut off.
                sub(/\}[^}]*$/, "", rest)
                while (gsub(/\{[^{}]*\}/, "", rest)) {}
                count = split(rest, names, /[ ,\t]+/)
                for (i = 1; i <= count; i++)
                    if (names[i] ~ /^[A-Za-z_]/ && names[i] != "as" && names[i] != "self")
                        import(module, prefix names[i], file ":" number)
                return
            }
        }

        BEGIN {
            while ((getline line < map) > 0) {
                if (line ~ /^<!-- layers -->/) { inside = 1; continue }
                if (inside && line ~ /^```/) { if (inside++ == 2) break; continue }
                if (inside != 2) continue
                sub(/#.*/, "", line)
                count = split(line, word, /[ \t]+/)
                if (word[1] != package) continue
                if (word[2] == "up") { allowed[word[3], word[4]] = 1; continue }
                first = 3
                if (word[3] == "mutual") { mutual[word[2]] = 1; first = 4 }
                for (i = first; i <= count; i++)
                    if (word[i] != "") { layer[word[i]] = word[2] + 0; entries++ }
            }
            if (!entries) complain(map ": no layers of `" package "`")
        }

        { files[NR] = $0; is_module[module_of($0)] = 1 }

        END {
            if (bad) exit 1
            for (entry in layer)
                if (!(entry in is_module)) complain(map ": `" entry "` is no module of " package)
            for (n = 1; n <= NR; n++) {
                if (entry_of(module_of(files[n])) == "") {
                    complain(files[n] ": is in no layer of " map)
                    continue
                }
                text = ""; number = 0
                while ((getline line < files[n]) > 0) {
                    number++
                    if (line ~ /^mod tests/) break
                    sub(/^[ \t]*\/\/.*/, "", line)
                    sub(/[ \t]\/\/ .*/, "", line)
                    if (text == "") begins = number
                    text = text line " "
                    # A `use` goes on to its semicolon; anything else is looked at by lines.
                    if (text ~ /^[ \t]*(pub(\([a-z]+\))? )?use / && text !~ /;/) continue
                    scan(text, files[n], begins)
                    text = ""
                }
                close(files[n])
            }
            for (edge in allowed)
                if (!(edge in used)) {
                    split(edge, ends, SUBSEP)
                    complain(map ": `" package " up " ends[1] " " ends[2] "` is not needed any more")
                }
            exit bad
        }
    '
}

check_package executor || failed=1
check_package net || failed=1

# Between packages: net stands below executor.
if grep -nE '^gopark' net/Cargo.toml || grep -rnE '(^|[^a-z_])gopark::' net/src; then
    echo "net must not depend on executor" >&2
    failed=1
fi

while read -r lines file; do
    if ((lines > most_lines)) && [[ $file != total ]]; then
        echo "$file: $lines lines; $most_lines is the most: split it" >&2
        failed=1
    fi
done < <(find benches examples executor macros models net -name '*.rs' -not -path '*/target/*' -exec wc -l {} +)

((failed == 0)) && echo "layers and lengths: well"
exit "$failed"
