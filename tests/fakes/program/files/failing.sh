echo "cannot open mesh" >&2
exit 3
