#!/usr/bin/env bash
# Makes streams/clips/demo.mp4 from the photographs in streams/clips/photos: each is shown for 7 seconds
# under a slow zoom or pan, then fades into the next within half a second. Needs ffmpeg with libx264.
set -euo pipefail
cd "$(dirname "$0")"

OUT=${1:-demo.mp4}
FPS=25
SHOWN=7    # seconds from one photograph's first frame to the next one's
FADE=0.5   # seconds of the cross-fade, taken from the start of the later photograph's turn
KBITS=165  # average video bit rate: about 1.4 MB for 70 seconds

# photograph and camera move, in order of appearance
SCENES=(
  red-panda:in
  espresso:out
  german-shepherd:right
  castle:in
  bee:out
  macaw:in
  ice-bear:left
  paintbrush:out
  orange:in
  chameleon:right
)

frames=$(awk "BEGIN { print int(($SHOWN + $FADE) * $FPS) }")
inputs=()
filter=""
for i in "${!SCENES[@]}"; do
  photo=${SCENES[i]%%:*}
  move=${SCENES[i]##*:}
  t="(on/$((frames - 1)))" # 0 at the scene's first frame, 1 at its last
  x="(iw-iw/zoom)/2"
  y="(ih-ih/zoom)/2"
  case $move in
    in) z="1+0.16*$t" ;;
    out) z="1.16-0.16*$t" ;;
    right) z="1.12" x="(iw-iw/zoom)*$t" ;;
    left) z="1.12" x="(iw-iw/zoom)*(1-$t)" ;;
    *) echo "unknown move: $move" >&2; exit 1 ;;
  esac
  inputs+=(-i "photos/$photo.jpg")
  # The photograph fills the frame (what stands over is cut, no bars). zoompan moves in whole pixels,
  # so it works on four times the size of the frame to move smoothly.
  filter+="[$i:v]scale=2560:1440:force_original_aspect_ratio=increase:flags=bicubic:out_range=tv:out_color_matrix=bt709,"
  filter+="crop=2560:1440,setsar=1,zoompan=z='$z':x='$x':y='$y':d=$frames:s=640x360:fps=$FPS,format=yuv420p[v$i];"
done

last="[v0]"
for ((i = 1; i < ${#SCENES[@]}; i++)); do
  filter+="$last[v$i]xfade=transition=fade:duration=$FADE:offset=$((i * SHOWN))[x$i];"
  last="[x$i]"
done
filter+="${last}trim=duration=$((${#SCENES[@]} * SHOWN))[out]"

log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
for pass in 1 2; do
  target=("$OUT")
  [ "$pass" = 1 ] && target=(-f null /dev/null)
  ffmpeg -nostdin -hide_banner -loglevel error -y "${inputs[@]}" -filter_complex "$filter" -map '[out]' -an \
    -c:v libx264 -profile:v high -level 3.0 -preset slow -b:v "${KBITS}k" -pix_fmt yuv420p -g $((2 * FPS)) \
    -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
    -map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart \
    -pass "$pass" -passlogfile "$log/x264" "${target[@]}"
done
