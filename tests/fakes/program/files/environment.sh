env > environment
sh good.sh
