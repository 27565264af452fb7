# convert.sh: convert and quantize: checkpoints of published families, files in other types, refused ones.
. "$(dirname "$0")/lib.sh"
"$make_model" found.gguf found
"$make_picture" picture.png 64 48 dd2020

# there and back: what F32 holds exactly is not lost
run 0 quantize found.gguf -o wide.gguf --type f32
run 0 quantize wide.gguf -o back.gguf --type Q8_0 --json
lines out 1
says out '"types": {"F32": '
says out '"Q8_0": '
run 0 quantize back.gguf -o again.gguf --json
says out '"changed": 0, '
same back.gguf again.gguf
run 0 ask picture.png 'where is the red disc?' -m found.gguf --json
cp out first
run 0 quantize found.gguf -o half.gguf --type f16
says out 'tensors changed'
says out 'largest relative error'
run 0 ask picture.png 'where is the red disc?' -m half.gguf --json
says out '"objects"'
clean

run 2 quantize found.gguf -o other.gguf --type q9
refused 'is not one of f32, f16'
run 2 quantize found.gguf -o found.gguf
refused 'over itself'
run 2 quantize found.gguf
refused 'give -o'
run 2 quantize -o other.gguf
refused 'give one model file'
run 3 quantize missing.gguf -o other.gguf
refused 'missing.gguf'
head -c 2000 found.gguf >cut.gguf
run 4 quantize cut.gguf -o other.gguf
refused 'cut.gguf'
run 5 quantize found.gguf -o no/such/folder.gguf
refused 'no/such'
absent other.gguf
clean

# a family whose answers are begun for it: it refers, and refuses the rest by name
families=$here/../vectors/families
run 0 convert "$families/mllmseg" -o seg.gguf --json
lines out 1
says out '"used": 121, '
says out '"unused": [], "fresh": []'
run 0 info seg.gguf
says out 'find the region that a phrase names'
run 0 find "$families/picture.png" 'the red cup' -m seg.gguf --json
says out '"answer": "Sure,the red cup: <obj>."'
says out '"calibrated": false'
run 0 find "$families/picture.png" 'the red cup' -m seg.gguf --threshold 1
says out 'No region here shows "the red cup".'
last='percept chat'
printf 'the cup\nthe dog\n' | "$percept" chat "$families/picture.png" -m seg.gguf --threshold 1 >out 2>err || fail "$last"
lines out 2
says out 'No region here shows'
lines err 0
run 0 ask "$families/picture.png" 'what is it good for?' -m seg.gguf
says out '<obj>.'
run 2 describe "$families/picture.png" -m seg.gguf
refused 'cannot describe'
run 2 ask "$families/picture.png" 'what is <obj>?' --box 1,1,9,9 -m seg.gguf
refused 'cannot be shown regions'
run 0 convert "$families/mllmseg_lora" -o merged.gguf
says out 'LoRA added to 14 weights'
run 0 quantize seg.gguf -o small.gguf --type q4_0
run 0 find "$families/picture.png" 'the red cup' -m small.gguf

# a language model alone, with adapters and without
run 0 convert "$families/llama" -o llama.gguf --type f16
run 0 info llama.gguf
says out 'complete text'
says_not out 'pixels'
run 0 complete ' the cup' -m llama.gguf --max-tokens 4 --json
lines out 1
cp out plain
run 0 convert "$families/llama" -o adapted.gguf --type f16 --lora "$families/llama/lora"
says out 'LoRA added to 4 weights'
run 0 complete ' the cup' -m adapted.gguf --max-tokens 4 --json
checks=$((checks + 1))
! cmp -s out plain || fail 'adapters change nothing'

run 2 convert "$families/llama" -o bad.gguf --lora "$families/llama/lora" --keep-lora
refused 'has no place for adapters'

run 2 convert "$families/llama" -o bad.gguf --keep-lora
refused 'there are no adapters to keep'

# adapters whose settings would change the sum are refused by name; a base model beside them is not read for them
mkdir adapters
adapt() { # SED-EXPRESSION CODE WORDS
  sed "$1" "$families/llama/lora/adapter_config.json" >adapters/adapter_config.json
  run "$2" convert "$families/llama" -o bad.gguf --lora adapters
  refused "$3"
}
cp "$families/llama/lora/adapter_model.safetensors" adapters
cp "$families/llama/model.safetensors" adapters
for setting in '"use_rslora": true' '"use_dora": true' '"rank_pattern": {"q_proj": 4}' '"alpha_pattern": {"q_proj": 4}' \
    '"bias": "all"' '"modules_to_save": ["lm_head"]'; do
  key=${setting#\"}
  adapt "s/^{/{$setting, /" 4 "adapters/adapter_config.json: ${key%%\"*} is not known; merge"
done
adapt 's/"r": 2/"r": 4/' 4 "adapter_config.json's r is 4"
adapt 's/"r": 2/"r": "two"/' 4 'adapters/adapter_config.json: key'
absent bad.gguf
sed 's/^{/{"bias": "none", "rank_pattern": {}, "modules_to_save": null, /' "$families/llama/lora/adapter_config.json" \
  >adapters/adapter_config.json
run 0 convert "$families/llama" -o beside.gguf --type f16 --lora adapters
says out 'LoRA added to 4 weights'
same beside.gguf adapted.gguf

# the model is called as its folder, however the path is spelled
run 0 convert "$families/llama/" -o spelled.gguf --type f16
same spelled.gguf llama.gguf
run 0 convert "$families/llama/." -o spelled.gguf --type f16
same spelled.gguf llama.gguf
run 0 convert "$families/llama/lora/.." -o spelled.gguf --type f16
same spelled.gguf llama.gguf

# what is wrong with a checkpoint is said in one line, and nothing is written
mkdir broken
cp "$families"/llama/*.json broken
run 3 convert broken -o bad.gguf
refused 'no checkpoint in this folder'
head -c 9000 "$families/llama/model.safetensors" >broken/model.safetensors # a download that stopped
run 4 convert broken -o bad.gguf
refused 'broken/model.safetensors'
LC_ALL=C sed 's/layers.1.mlp.up_proj/layers.7.mlp.up_proj/' "$families/llama/model.safetensors" >broken/model.safetensors
run 4 convert broken -o bad.gguf
refused "tensor 'model.layers.1.mlp.up_proj.weight' is missing"
cp "$families/llama/model.safetensors" broken
sed 's/"hidden_size": 48/"hidden_size": 64/' "$families/llama/config.json" >broken/config.json
run 4 convert broken -o bad.gguf
refused 'its config makes it'
sed 's/"num_attention_heads": 4/"num_attention_heads": "four"/' "$families/llama/config.json" >broken/config.json
run 4 convert broken -o bad.gguf
refused "broken/config.json: key 'num_attention_heads'"
sed 's/"hidden_act": "silu"/"hidden_act": "gelu"/' "$families/llama/config.json" >broken/config.json
run 4 convert broken -o bad.gguf
refused 'broken/config.json: hidden_act: "gelu" is not known for this family; give a model with "silu"'
sed 's/"model_type": "llama"/"model_type": "mamba"/' "$families/llama/config.json" >broken/config.json
run 4 convert broken -o bad.gguf
refused 'of no known family; known are llama'
run 2 convert broken -o bad.gguf --family mumble
refused 'is not one of llama'
run 4 convert broken -o bad.gguf --family mllmseg
refused "without MLLMSeg's mask decoder"
cp "$families/llama/config.json" broken
printf '{' >broken/tokenizer_config.json
run 4 convert broken -o bad.gguf
refused 'broken/tokenizer_config.json:1:'
rm broken/tokenizer_config.json
printf '{' >broken/config.json
run 4 convert broken -o bad.gguf
refused 'config.json'
rm broken/config.json
run 3 convert broken -o bad.gguf
refused 'config.json: is missing'
cp "$families/llama/config.json" broken
rm broken/tokenizer.json
run 3 convert broken -o bad.gguf
refused 'broken'
run 3 convert missing -o bad.gguf
refused 'missing'
run 2 convert "$families/llama" -o bad.gguf --tower broken --family llama
refused 'a tower or heads do not go with a language model alone'
absent bad.gguf
clean
finish
