sh good.sh
head -n 7 field.txt > cut; mv cut field.txt
