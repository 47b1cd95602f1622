trap '' TERM
sleep 1000 & wait; sleep 1000
