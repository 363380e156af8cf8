#!/bin/sh
# For a gateway on another machine that starts a child: point its cliPath here.
# IMSGD_HOST is the Mac, as ssh knows it. IMSGD_REMOTE is the program there, which a key with a forced command ignores.
set -eu

# The shell on the Mac reads the words again: each is quoted for it.
quoted() {
    word=$(printf '%sx' "$1" | sed "s/'/'\\\\''/g")
    printf "'%s'" "${word%x}"
}

command=$(quoted "${IMSGD_REMOTE:-imsgd}")
for word; do
    command="$command $(quoted "$word")"
done

# -T: no terminal, which would change the bytes. BatchMode: nobody is there to be asked for a password. A Mac that does
# not answer for 45 seconds is given up, so that the gateway can begin anew.
exec ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 \
    -o ClearAllForwardings=yes -- "${IMSGD_HOST:-mac}" "$command"
