"""moto's SQS on a free loopback port, with a clock that can be moved ahead: the conformance cases
skip the time that AWS would take. Nothing else of moto is changed. Prints its URL once it listens;
ends on SIGTERM.

POST /clock/skip?seconds=N moves the clock; POST /moto-api/reset forgets all and sets it right.
"""

import os
import signal
import sys
from urllib.parse import parse_qs

# The account that the cases' ARNs name; moto reads it when it is imported.
os.environ["MOTO_ACCOUNT_ID"] = "000000000000"

import moto.sqs.models as sqs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Clock:
    """moto's clock, ahead of the real one."""

    def __init__(self):
        self.ahead = 0.0
        self.seconds = sqs.unix_time
        self.millis = sqs.unix_time_millis
        sqs.unix_time = lambda *at: self.seconds(*at) + (0 if at else self.ahead)
        sqs.unix_time_millis = lambda *at: self.millis(*at) + (0 if at else self.ahead * 1000)

    def before(self, moto):
        """The application that moves the clock, and leaves all else to moto."""

        def answer(environ, start_response):
            path = environ["PATH_INFO"]
            if path == "/moto-api/reset":
                self.ahead = 0.0
            elif path == "/clock/skip":
                self.ahead += float(parse_qs(environ["QUERY_STRING"])["seconds"][0])
                start_response("204 No Content", [])
                return []
            return moto(environ, start_response)

        return answer


class Quiet(WSGIRequestHandler):
    """Keep-alive, as AWS has it, and no line for every call."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


def main():
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, Clock().before(moto), threaded=True, request_handler=Quiet)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
