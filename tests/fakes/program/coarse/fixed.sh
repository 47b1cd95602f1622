echo 1 4 @hot@ @cold@ 0 0 > field.txt
