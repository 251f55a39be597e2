"""Pictures from files and archives: PNG, JPEG, TIFF, WebP, DICOM, and masks."""
