"""Functions and classes behind the command-line tools.

Modules are imported when their names are first used: an obfuscation needs no PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs=dict(
        anonymize_file=['FileResult', 'anonymize_file'],
        anonymize_job=['anonymize_job', 'lock_outputs'],
        choices=['BACKENDS', 'METHODS'],
        export=['export_onnx'],
        frame_anonymizer=['FrameAnonymizer'],
        frame_pairs=['pair_with_file', 'pair_with_function', 'sample_frames'],
        image_file=['MAX_PIXELS'],
        inferencer=['AnonymizeInferencer'],
        load_anonymizer=['find_anonymizer'],
        manifest=['Manifest'],
        mmaction_tools=['find_tool', 'run_tool'],
        output_files=['remove_leftovers'],
        outputs=['Job', 'find_jobs'],
        publish=['publish'],
        recognizer=['load_recognizer'],
        refusals=['describe_failure', 'print_any_name', 'refuse_in_one_sentence'],
        sources=['IMAGES', 'describe_left_out', 'find_left_out', 'find_sources'],
    ),
)
