"""The S3 and SQS server: moto on a free port. Ends with its standard input, so that it never outlives the tests."""

import os
import sys
import threading

from moto.moto_server.utilities import RegexConverter
from moto.server import main

# moto's routes let a key hold anything but a line break; S3 takes those too.
plain = RegexConverter.__init__


def with_line_breaks(self, url_map, pattern, *rest):
    plain(self, url_map, pattern.replace(".+", "(?s:.+)"), *rest)


RegexConverter.__init__ = with_line_breaks

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
main(["-H", "127.0.0.1", "-p", "0"])
