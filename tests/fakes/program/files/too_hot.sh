sh good.sh
sed -i "s/^@hot@$/9999/" field.txt
