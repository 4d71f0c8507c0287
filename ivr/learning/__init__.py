"""What is learnt from: spoken questions, gaps of the catalogue, the classifier's versions."""
