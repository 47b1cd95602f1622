yes 0123456789abcdef | head -c 50000000
echo the end
sh good.sh
