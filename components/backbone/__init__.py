"""Backbones: networks with weights of ImageNet that packages bring, so that nothing is downloaded at run time."""
