# from hot to cold in three steps; @cells_x@ cells
echo "solving for @cells_x@ cells"
{ echo 3 @cells_x@; for share in 4 2 0; do for cell in $(seq @cells_x@); do
  echo $(( @cold@ + (@hot@ - @cold@) * share / 4 )); done; done; } > field.txt
