"""tts_fm: text to speech by flow matching."""
