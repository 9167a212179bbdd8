"""``python -m tts_fm.commands`` is ``tts-fm``."""

from tts_fm.commands import main

raise SystemExit(main())
