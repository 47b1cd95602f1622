: > field.txt
