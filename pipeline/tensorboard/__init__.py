"""What TensorBoard shows of a workdir's runs: scalars, HParams and the embedding projector."""
