#!/bin/bash
# Copies the database to a folder of backups and drops the old copies.
#   scripts/backup.sh [TARGET] [KEEP]

TARGET=$1
KEEP=${2:-7}
STAMP=`date +%Y-%m-%d`

if [ -z $TARGET ]; then
  TARGET=backups
fi

mkdir -p "$TARGET"
cp notes.db $TARGET/notes-$STAMP.db

cd "$TARGET"
for old in $(ls -t notes-*.db | tail -n +$((KEEP + 1))); do
  rm -rf "$old"
done

echo "kept the newest $KEEP backups in $TARGET"
