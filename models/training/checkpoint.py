"""Which weights older checkpoints lack, and what only training needs of one."""

# Suffixes of the names of weights that older checkpoints lack; such a checkpoint can still be resumed and averaged.
LATER_PARTS = (".tag_k", ".tag_v", ".when.weight", ".count.weight", ".tally.threshold.weight", ".tally.threshold.bias", ".tally.into.weight", ".from_detail.weight", ".from_marks.weight", "counted.gate.weight", "counted.gate.bias",
               "dated.gate.weight", "dated.gate.bias", "written.read.weight", "written.read.bias", "written.gate.weight", "written.gate.bias", "movement.read.weight", "movement.read.bias", "movement.write.weight")
# Keys of a checkpoint that only training needs.
FOR_TRAINING = ("muon", "adam", "last")
