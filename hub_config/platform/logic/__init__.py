"""The platform's rules: what may be done by whom, told in plain exceptions; nothing here knows HTTP."""
