"""Shows the web page: ``python demo/app.py`` is ``tts-fm demo``, with the same options."""

import sys

from tts_fm.commands import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
