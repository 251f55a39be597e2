"""Pictures from files and archives: PNG, JPEG, TIFF, WebP, DICOM, and masks.

Nothing here knows of tables, reports or data sets.
"""
