sh good.sh
sed -i "5s/.*/nan/" field.txt
