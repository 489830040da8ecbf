#!/usr/bin/env python3
"""The thumbnail job as a service in Python. One request a job:

    pip install -r worker/examples/requirements.txt
    THUMBNAILS_BUCKET=photos python3 worker/examples/thumbnail.py 8080 &
    weir-worker run --queue thumbnails --http http://127.0.0.1:8080/

A message's body is {"image":"photos/0001.png","width":256}. The image is read from the bucket, the
thumbnail stored there as thumbnails/<job id>.jpg, and the job's result is
{"key":…,"bytes":…,"width":…,"height":…}.

Region, credentials and endpoint are boto3's: its variables, or the instance's role.
"""

import io
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config
from PIL import Image

WIDTH_MAX = 4096


class Never(Exception):
    """The job cannot be done, now or later."""


class Jobs(BaseHTTPRequestHandler):
    """Answers with a job's outcome: 200 done, 422 never, 500 try again."""

    protocol_version = "HTTP/1.1"  # keeps connections open from job to job

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            made = thumbnail(self.headers["X-Weir-Job-Id"], body)
            answer = 200, json.dumps(made, separators=(",", ":"))
        except Never as reason:
            answer = 422, str(reason)
        except Exception as error:
            answer = 500, f"{type(error).__name__}: {error}"
        self.answer(*answer)

    def answer(self, status, text):
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def thumbnail(job_id, body):
    image, width = order(body)
    original = fetch(image)
    try:
        # Pillow reads dozens of formats: it is to read these two.
        with Image.open(original, formats=("PNG", "JPEG")) as picture:
            width = min(width, picture.width)
            height = max(picture.height * width // picture.width, 1)
            small = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise Never(f"{image} is not an image") from error
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=82)
    key = f"thumbnails/{job_id}.jpg"
    S3.put_object(Bucket=BUCKET, Key=key, Body=jpeg.getvalue(), ContentType="image/jpeg")
    return {"key": key, "bytes": len(jpeg.getvalue()), "width": width, "height": height}


def order(body):
    try:
        asked = json.loads(body)
        image, width = asked.pop("image"), asked.pop("width")
    except (ValueError, KeyError, AttributeError) as error:
        raise Never(f"the body is not an order: {error!r}") from error
    if asked or not isinstance(image, str) or type(width) is not int:
        raise Never("the body is not an order: an image's key and a whole width are expected")
    if not 1 <= width <= WIDTH_MAX:
        raise Never(f"width {width}: 1 to {WIDTH_MAX} are allowed")
    return image, width


def fetch(image):
    try:
        return io.BytesIO(S3.get_object(Bucket=BUCKET, Key=image)["Body"].read())
    except S3.exceptions.NoSuchKey as error:
        raise Never(f"there is no image {image}") from error


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # connections that wait to be accepted


if __name__ == "__main__":
    BUCKET = os.environ.get("THUMBNAILS_BUCKET") or sys.exit(
        "THUMBNAILS_BUCKET is not set: name the bucket that holds the images"
    )
    # Bucket names in the path work with every S3 there is, also without wildcard DNS.
    S3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Jobs)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
