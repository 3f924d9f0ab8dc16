"""Use, retrain and share AI models for images of seas, lakes and rivers."""
