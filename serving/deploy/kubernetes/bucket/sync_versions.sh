#!/bin/sh
# Copies a model's newest versions from a bucket to a folder that a server watches.
#
#   sync_versions.sh once     copy what there is; fails if there is nothing
#   sync_versions.sh watch    go on doing so until SIGTERM; what fails is tried again
#
# From the environment: SOURCE, the model's folder as rclone names it; TARGET, the server's folder;
# KEEP, how many of the newest versions (the one served and those to go back to by a label);
# INTERVAL, seconds between two looks.
#
# A version appears in TARGET whole or not at all: it is copied beside its place and renamed. One that
# is still being written to the bucket has no saved_model.pb yet, and is left for the next time.
set -eu

: "${SOURCE:?}" "${TARGET:?}" "${KEEP:?}"

sync_once() {
  # On its own: in a pipe its failure would look like an empty bucket.
  files=$(rclone lsf --recursive --max-depth 2 --files-only --include '/*/saved_model.pb' "$SOURCE") ||
    return 1
  wanted=$(printf '%s\n' "$files" | sed -n 's|^\([1-9][0-9]*\)/saved_model\.pb$|\1|p' |
    sort -n | tail -n "$KEEP" | tr '\n' ' ')
  if [ -z "$wanted" ]; then
    echo "no complete version in $SOURCE" >&2
    return 1
  fi
  mkdir -p "$TARGET" || return 1
  rm -rf "$TARGET/.incoming" "$TARGET/.leaving"
  for version in $wanted; do
    [ -d "$TARGET/$version" ] && continue
    rclone copy "$SOURCE/$version" "$TARGET/.incoming" || return 1
    mv "$TARGET/.incoming" "$TARGET/$version" || return 1
    echo "version $version is here"
  done
  for folder in "$TARGET"/[1-9]*; do
    version=${folder##*/}
    case " $wanted" in
      *" $version "*) continue ;;
    esac
    # Out of the server's sight at once, then deleted.
    mv "$folder" "$TARGET/.leaving" && rm -rf "$TARGET/.leaving" || return 1
    echo "version $version is gone"
  done
}

case ${1:-} in
  once) sync_once ;;
  watch)
    : "${INTERVAL:?}"
    trap 'exit 0' TERM INT
    while true; do
      sync_once || echo "not copied; next try in $INTERVAL s" >&2
      # In the background: a shell does not look at signals before a command in the foreground ends.
      sleep "$INTERVAL" &
      wait $!
    done
    ;;
  *)
    echo "usage: sync_versions.sh once|watch" >&2
    exit 2
    ;;
esac
