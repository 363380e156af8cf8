#!/bin/sh
# For a gateway on another machine that starts a child: point its cliPath here.
# IMSGD_HOST is the Mac, as ssh knows it; IMSGD_REMOTE the program there.
# -T: no terminal, which would change the bytes.
exec ssh -T "${IMSGD_HOST:-mac}" "${IMSGD_REMOTE:-imsgd}" "$@"
