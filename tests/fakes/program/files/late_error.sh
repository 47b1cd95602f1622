sh good.sh
echo "step 1"
echo "--> FATAL ERROR: singular matrix"
echo "End"
exit 0
