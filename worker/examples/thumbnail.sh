#!/bin/sh
# The thumbnail job as a shell script. One process a job:
#
#   THUMBNAILS_BUCKET=photos weir-worker run --queue thumbnails --exec worker/examples/thumbnail.sh
#
# A message's body is {"image":"photos/0001.png","width":256}. The image is read from the bucket,
# the thumbnail stored there as thumbnails/<job id>.jpg, and the job's result is
# {"key":…,"bytes":…,"width":…,"height":…}.
#
# Needs curl (7.87 or later), ImageMagick and jq. Region, credentials and endpoint are the AWS
# tools' variables; without keys the instance's role serves.
set -eu

never() { # exit 65: the message goes to the dead-letter queue with these words
  echo "$*" >&2
  exit 65
}

# Another exit status than 0 and 65 means: try again, with the last words as the reason.
: "${THUMBNAILS_BUCKET:?is not set: name the bucket that holds the images}"
: "${AWS_REGION:?is not set}"
endpoint=${AWS_ENDPOINT_URL_S3:-${AWS_ENDPOINT_URL:-https://s3.$AWS_REGION.amazonaws.com}}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM # a timeout or a lost lease: leave, tidily

# The instance's role (EC2 User Guide, "Retrieve security credentials from instance metadata").
instance_role() {
  metadata=http://169.254.169.254/latest
  pass=$(curl -sSf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $metadata/api/token)
  roles=$metadata/meta-data/iam/security-credentials
  role=$(curl -sSf -m 2 -H "X-aws-ec2-metadata-token: $pass" $roles/)
  curl -sSf -m 2 -H "X-aws-ec2-metadata-token: $pass" "$roles/$role" >"$work/role"
  AWS_ACCESS_KEY_ID=$(jq -r .AccessKeyId "$work/role")
  AWS_SECRET_ACCESS_KEY=$(jq -r .SecretAccessKey "$work/role")
  AWS_SESSION_TOKEN=$(jq -r .Token "$work/role")
}

# s3 KEY BODY CURL-ARGUMENT…: a signed request; prints the status. S3 wants the body's hash signed,
# too, of nothing for a GET. The secret is not for the eyes of ps.
s3() {
  path=$(jq -rn --arg key "$1" '$key | split("/") | map(@uri) | join("/")')
  hash=$(sha256sum "$2" | cut -d ' ' -f 1)
  shift 2
  {
    echo "user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
    if [ -n "${AWS_SESSION_TOKEN:-}" ]; then
      echo "header = \"x-amz-security-token: $AWS_SESSION_TOKEN\""
    fi
  } | curl --silent --show-error --max-time 60 --config - --write-out '%{http_code}' \
    --aws-sigv4 "aws:amz:$AWS_REGION:s3" --header "x-amz-content-sha256: $hash" "$@" "$endpoint/$THUMBNAILS_BUCKET/$path"
}

[ -n "${AWS_ACCESS_KEY_ID:-}" ] || instance_role

cat >"$work/order"
jq -e 'keys == ["image", "width"] and (.image | type == "string" and . != "")
  and (.width | type == "number" and . == floor and 1 <= . and . <= 4096)' \
  "$work/order" >"$work/fits" 2>&1 ||
  never "the body is not an order such as {\"image\":\"photos/0001.png\",\"width\":256}"
image=$(jq -r .image "$work/order")
width=$(jq -r .width "$work/order")

status=$(s3 "$image" /dev/null --output "$work/original")
case $status in
200) ;;
404) never "there is no image $image" ;;
*) echo "reading $image: HTTP status $status" >&2 && exit 1 ;;
esac

# ImageMagick reads a hundred formats, some of which run programs: it is to read these two.
case $(head -c 4 "$work/original" | od -An -tx1) in
*89*50*4e*47*) kind=png ;;
*ff*d8*ff*) kind=jpeg ;;
*) never "$image is not an image in PNG or JPEG" ;;
esac
size=$(identify -ping -format '%w %h' "$kind:$work/original") || never "$image is not an image"
from_width=${size% *} from_height=${size#* }
[ "$width" -le "$from_width" ] || width=$from_width
height=$((from_height * width / from_width))
[ "$height" -ge 1 ] || height=1
convert "$kind:$work/original" -background white -alpha remove -resize "${width}x${height}!" \
  -strip -quality 82 "jpeg:$work/thumbnail" || never "$image is not an image"

key=thumbnails/$WEIR_JOB_ID.jpg
status=$(s3 "$key" "$work/thumbnail" --request PUT --header 'content-type: image/jpeg' \
  --data-binary "@$work/thumbnail" --output "$work/answer")
[ "$status" = 200 ] || { echo "storing $key: HTTP status $status" >&2 && exit 1; }

jq -cn --arg key "$key" --argjson bytes "$(wc -c <"$work/thumbnail")" \
  --argjson width "$width" --argjson height "$height" '$ARGS.named'
