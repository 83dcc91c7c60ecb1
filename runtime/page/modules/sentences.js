/** All that the page says, in English and in traditional Chinese; {names} stand for values. */

/** @type {Record<string, [string, string]>} */
export const SENTENCES = {
  tagline: ["draws faces, in your browser alone", "只在你的瀏覽器裡畫臉"],
  language: ["Language", "語言"],
  stage: ["Picture", "圖片"],
  controls: ["Controls", "控制項"],

  views: ["What is shown", "顯示方式"],
  viewFace: ["One face", "一張臉"],
  viewGrid: ["25 faces", "25 張臉"],
  viewNear: ["Neighbours", "相近的臉"],
  viewWalk: ["Walk", "漸變"],

  draw: ["Draw another", "再畫一張"],
  save: ["Save as PNG", "儲存為 PNG"],
  saved: ["Saved {file}.", "已儲存 {file}。"],
  captionFace: ["Face {face} of seed {seed}", "種子 {seed} 的第 {face} 張臉"],
  captionNear: [
    "A neighbour, {steps} steps from face {face} of seed {seed}",
    "從種子 {seed} 的第 {face} 張臉走 {steps} 步得到的相近臉",
  ],
  captionNear1: [
    "A neighbour of face {face} of seed {seed}",
    "種子 {seed} 的第 {face} 張臉的相近臉",
  ],
  captionOwn: ["A face of noise of your own", "以自訂雜訊畫的臉"],
  captionOwnNear: ["A neighbour of a face of noise of your own", "自訂雜訊的相近臉"],
  captionGrid: [
    "Faces {face} to {last} of seed {seed}",
    "種子 {seed} 的第 {face} 到第 {last} 張臉",
  ],
  captionGridOfSeed: [
    "Faces {face} to {last} of seed {seed}, all of the seed's own noise",
    "種子 {seed} 的第 {face} 到第 {last} 張臉，皆用種子本身的雜訊",
  ],
  captionAround: ["{face}, in the middle of its neighbours", "中央是{face}，四周是相近的臉"],
  captionWalk: ["From: {from}. To: {to}", "起點：{from}。終點：{to}"],
  captionWords: ["{face}: {words}", "{face}：{words}"],
  wordOfGroup: ["{word} {group}", "{word}{group}"],
  mixedGroup: ["{word} {group}", "{group} {word}"],
  and: [", ", "、"],
  tileGrid: ["Show face {face} alone", "單獨顯示第 {face} 張臉"],
  tileNear: ["Go to neighbour {number}", "移到第 {number} 張相近的臉"],
  tileMiddle: ["Show the face in the middle alone", "單獨顯示中央的臉"],
  tiles: ["25 faces; the arrow keys move among them", "25 張臉，可用方向鍵移動"],
  same: [
    "Noise and words are both kept, so the same face comes again: choose a random word, or new noise.",
    "雜訊與詞語都固定，所以還是同一張臉：請把一個詞語改為隨機，或改用新的雜訊。",
  ],

  nearHint: [
    "Each is a small step from the face in the middle. Choose one to go there.",
    "每一張都離中央的臉一小步；點選即可前往。",
  ],
  nearAngle: ["How far", "步伐大小"],
  degrees: ["{degrees}°", "{degrees}°"],
  nearBack: ["One step back", "退回一步"],

  walkTo: ["Where it ends", "終點"],
  walkPlace: ["Place on the way", "漸變進度"],
  walkFrame: ["picture {number} of {count}", "第 {number} 張，共 {count} 張"],
  walkPlay: ["Play", "播放"],
  walkPause: ["Pause", "暫停"],
  walkSwap: ["Swap ends", "交換兩端"],
  walkSave: ["Save as animated PNG", "儲存為動態 PNG"],
  walkHint: [
    "Saved, it goes there and back: {count} pictures become {frames} frames.",
    "儲存的動畫會來回播放：{count} 張圖片成為 {frames} 格。",
  ],
  walkSame: ["The start's noise", "與起點相同的雜訊"],
  walkRandom: ["Another end", "換一個終點"],
  walkFrames: ["Pictures on the way", "漸變的圖片數"],
  walkEnd: ["The face where the walk ends: {face}", "漸變終點的臉：{face}"],
  walkSentencePlaceholder: ["random if empty", "留空則隨機"],
  saving: ["Saving …", "儲存中⋯⋯"],

  history: ["Drawn before", "畫過的臉"],
  historyEmpty: [
    "What you draw is kept here while the page is open.",
    "頁面開啟期間，畫過的臉都會留在這裡。",
  ],
  historyBack: ["Go back to: {face}", "回到：{face}"],
  historyWalk: ["Walk to it", "漸變到這張臉"],
  historyWalkTo: ["Walk to: {face}", "漸變到：{face}"],

  model: ["Model", "模型"],
  modelWords: ["takes words", "可輸入詞語"],
  modelNoWords: ["takes no words", "不接受詞語"],
  modelHint: ["{words}; {size} MB", "{words}；{size} MB"],
  opening: ["Opening {model} …", "正在開啟 {model}⋯⋯"],

  words: ["Words", "詞語"],
  sentence: ["Sentence", "句子"],
  random: ["random", "隨機"],
  mixWith: ["mixed with", "混合"],
  mixWithOf: ["{group}: mixed with", "{group}：混合"],
  nothing: ["nothing", "不混合"],
  mixPart: ["{group}: part of the second word", "{group}：第二個詞的比例"],
  percent: ["{percent}\u00a0%", "{percent}\u00a0%"],

  noise: ["Noise", "雜訊"],
  seed: ["Seed", "種子"],
  faceNumber: ["Face number", "第幾張臉"],
  randomSeed: ["Random seed", "隨機種子"],
  previousFace: ["Previous", "上一張"],
  nextFace: ["Next", "下一張"],
  noiseOfNext: ["The next drawing has", "下次繪製使用"],
  noiseRandom: ["new noise", "新的雜訊"],
  noiseFixed: ["this noise, other random words", "目前的雜訊，重抽隨機詞語"],
  noiseFiles: ["Save noise, or take it from a file or text", "儲存雜訊，或從檔案、文字載入"],
  noisePicture: ["The noise of this face, as a picture", "這張臉的雜訊圖"],
  noiseSave: ["Save as picture", "儲存為圖片"],
  noiseOpen: ["Open a file …", "開啟檔案⋯⋯"],
  noiseText: ["Noise as text, with a check sum", "雜訊文字（含檢查碼）"],
  noiseUse: ["Draw from this text", "用這段文字繪製"],
  noiseCopy: ["Copy the text", "複製文字"],
  noiseSaveText: ["Save as text", "儲存為文字"],
  noiseOwn: ["The noise is your own, not the seed's.", "目前使用自訂雜訊，而非種子的雜訊。"],
  noiseNear: [
    "The noise is {steps} steps away from the seed's.",
    "目前的雜訊離種子的雜訊 {steps} 步。",
  ],
  noiseNear1: ["The noise is one step away from the seed's.", "目前的雜訊離種子的雜訊一步。"],
  noiseDrop: ["Back to the seed's noise", "回到種子的雜訊"],

  share: ["Share", "分享"],
  stateText: ["All of this as text", "目前狀態的文字"],
  stateHint: [
    "Whoever pastes it into this field, or opens the address, draws the same.",
    "任何人把它貼到這一欄，或開啟網址，就會畫出同樣的圖。",
  ],
  copyState: ["Copy text", "複製文字"],
  copyAddress: ["Copy address", "複製網址"],
  copied: ["Copied.", "已複製。"],
  notCopied: [
    "The browser does not let a page copy: the text is marked, press Ctrl+C.",
    "瀏覽器不允許頁面複製：文字已選取，請按 Ctrl+C。",
  ],

  wrongAddress: [
    "The address is wrong, correct it in the field “Share”: {why}",
    "網址有誤，請在「分享」欄修改：{why}",
  ],

  look: ["Look", "外觀"],
  enlarged: ["Enlarged", "放大方式"],
  lookSmooth: ["smooth", "平滑"],
  lookPixels: ["pixels", "像素"],
  savedSize: ["Size of a saved face", "儲存時每張臉的大小"],
  sizeOption: ["{size} x {size} pixels", "{size} x {size} 像素"],
  sizeAsDrawn: ["{size} x {size} pixels, as drawn", "{size} x {size} 像素（原尺寸）"],

  about: ["About this page", "關於本頁"],
  aboutPage: [
    "Nothing leaves this page: the neural network in it draws on your machine, without a server, and the browser is told to allow no request. One seed and text give the same face here and in edgegan for Python.",
    "任何資料都不會離開本頁：其中的神經網路在你的裝置上繪圖，不需伺服器，瀏覽器也被設定為不允許任何連線。同樣的種子與文字，在這裡和在 Python 版 edgegan 會畫出同一張臉。",
  ],
  aboutExact: [
    "This model computes in whole numbers: its pictures are the same everywhere, byte for byte.",
    "此模型以整數計算：它的圖片在任何裝置上每個位元組都相同。",
  ],
  aboutInexact: [
    "This model computes in floating point: of its pictures a level of 255 may differ from machine to machine.",
    "此模型以浮點數計算：不同裝置的圖片可能相差 255 級中的一級。",
  ],
  aboutModel: ["The model {model}", "模型 {model}"],
  aboutLicences: ["Licences", "授權"],
  licence: ["{part}: {name}", "{part}：{name}"],
  saveModel: ["Save the model, {file} ({size} MB)", "儲存模型 {file}（{size} MB）"],

  noMemory: [
    "There is not enough memory: close other pages and open this one again.",
    "記憶體不足：請關閉其他分頁後重新開啟本頁。",
  ],
  fault: ["A fault in this page: {message}", "本頁發生錯誤：{message}"],
};

/** Words of models, and names of their groups. @type {Record<string, string>} */
export const WORDS = {
  hair: "頭髮",
  eyes: "眼睛",
  aqua: "水藍色",
  black: "黑色",
  blonde: "金色",
  blue: "藍色",
  brown: "棕色",
  gray: "灰色",
  green: "綠色",
  orange: "橙色",
  pink: "粉紅色",
  purple: "紫色",
  red: "紅色",
  white: "白色",
  yellow: "黃色",
};

/**
 * What a Chinese sentence may call them, in traditional or simplified characters, the longest first,
 * in English.
 *
 * @type {[string, string][]}
 */
export const CHINESE = [
  ["頭髮", "hair"],
  ["头发", "hair"],
  ["髮色", "hair"],
  ["发色", "hair"],
  ["髮", "hair"],
  ["发", "hair"],
  ["眼睛", "eyes"],
  ["瞳色", "eyes"],
  ["雙眼", "eyes"],
  ["双眼", "eyes"],
  ["眼", "eyes"],
  ["瞳", "eyes"],
  ["水藍", "aqua"],
  ["水蓝", "aqua"],
  ["粉紅", "pink"],
  ["粉红", "pink"],
  ["咖啡", "brown"],
  ["黑", "black"],
  ["金", "blonde"],
  ["藍", "blue"],
  ["蓝", "blue"],
  ["棕", "brown"],
  ["褐", "brown"],
  ["茶", "brown"],
  ["灰", "gray"],
  ["銀", "gray"],
  ["银", "gray"],
  ["碧", "blue"],
  ["綠", "green"],
  ["绿", "green"],
  ["橙", "orange"],
  ["橘", "orange"],
  ["粉", "pink"],
  ["紫", "purple"],
  ["紅", "red"],
  ["红", "red"],
  ["白", "white"],
  ["黃", "yellow"],
  ["黄", "yellow"],
  ["色", ""],
  ["的", ""],
  ["和", ""],
  ["與", ""],
  ["跟", ""],
  ["，", ""],
  ["、", ""],
];

/** BROWSERS of model.js. */
const CHINESE_BROWSERS = "Chrome 或 Edge 105、Firefox 121、Safari 16.4 或更新的版本";

/**
 * The sentences of errors, as patterns, with their groups' places in Chinese.
 *
 * @type {[RegExp, string][]}
 */
export const ERRORS = [
  [
    /^(.+) is no word of (.+?): did you mean (.+)\? Expected (.+)$/,
    "$1 不是 $2 的詞語：是否指 $3？可用的有 $4",
  ],
  [/^(.+) is no word of (.+?), expected (.+)$/, "$1 不是 $2 的詞語，可用的有 $3"],
  [/^(.+) names two words of (.+), expected one$/, "$1 為 $2 指定了兩個詞語，只能有一個"],
  [/^(.+) may mean (.+), expected one of them$/, "$1 可能指 $2，請說明是哪一個"],
  [/^(.+) is no group of words, expected one of (.+)$/, "$1 不是詞語的類別，可用的有 $2"],
  [/^a text is (.+), expected words such as (.+)$/, "文字是 $1，應為像 $2 的詞語"],
  [/^a text has (\d+) characters, expected at most (\d+)$/, "文字有 $1 個字，最多 $2 個"],
  [
    /^seed is (.+), expected a whole number from (\d+) to (\d+)$/,
    "種子是 $1，應為 $2 到 $3 的整數",
  ],
  [
    /^face is (.+), expected a whole number from (\d+) to (\d+)$/,
    "臉的編號是 $1，應為 $2 到 $3 的整數",
  ],
  [
    /^frames is (.+), expected a whole number from (\d+) to (\d+)$/,
    "圖片數是 $1，應為 $2 到 $3 的整數",
  ],
  [
    /^(\w+) is (.+), expected a whole number from (\d+) to (\d+)$/,
    "$1 是 $2，應為 $3 到 $4 的整數",
  ],
  [
    /^percent is (.+), expected a number for each word of mix$/,
    "percent 是 $1，應為 mix 的每個詞各一個數",
  ],
  [/^near is (.+), expected steps such as (.+)$/, "near 是 $1，應為像 $2 的步伐"],
  [/^(model|view) is (.+), expected one of (.+)$/, "$1 是 $2，應為 $3 之一"],
  [
    /^the state has (.+) twice within to, expected it once$/,
    "這段狀態文字的 to 含有兩個 $1，只能有一個",
  ],
  [/^the state has (.+) twice, expected it once$/, "這段狀態文字含有兩個 $1，只能有一個"],
  [/^the state has (.+) within to, expected (.+)$/, "這段狀態文字的 to 含有 $1，只能有 $2"],
  [/^the state has (.+), expected (.+)$/, "這段狀態文字含有 $1，只能有 $2"],
  [
    /^the state has words, but the model (.+) takes none$/,
    "這段狀態文字含有詞語，但模型 $1 不接受詞語",
  ],
  [/^the file holds no noise, .+$/, "檔案不含雜訊，應為本頁儲存的 PNG 或文字檔"],
  [/^the PNG is of another kind, .+$/, "這是另一種 PNG，應為本頁儲存的圖片"],
  [/^the PNG is damaged, .+$/, "PNG 檔已損壞，應為本頁儲存的圖片"],
  [/^the PNG has (.+) pixels, expected at most (\d+) in all$/, "PNG 有 $1 個像素，總數最多 $2 個"],
  [/^the picture is no noise, .+$/, "這不是雜訊圖，應為本頁儲存的雜訊圖"],
  [
    /^the text is no noise, expected what this page wrote: (.+)$/,
    "這不是雜訊文字，應為本頁寫出的文字：$1",
  ],
  [
    /^the noise has (\d+) numbers, expected (\d+): a part is missing$/,
    "雜訊有 $1 個數，應有 $2 個：缺了一部分",
  ],
  [
    /^the noise has (\d+) numbers, expected (\d+): it is that of another model$/,
    "雜訊有 $1 個數，應有 $2 個：這是另一個模型的雜訊",
  ],
  [
    /^the noise's check sum is (\w+), expected (\w+): it was changed$/,
    "雜訊的檢查碼是 $1，應為 $2：內容被改過",
  ],
  [/^the noise has numbers that are not finite, .+$/, "雜訊含有非有限的數，應為有限的數"],
  [/^the file has (\d+) bytes, expected at most (\d+)$/, "檔案有 $1 個位元組，最多 $2 個"],
  [
    /^this page is damaged at (.+): get it again, or build it again$/,
    "本頁的 $1 已損壞：請重新下載或重新建立",
  ],
  [/^this browser has no (\w+), expected .+$/, `瀏覽器缺少 $1，請改用 ${CHINESE_BROWSERS}`],
  [
    /^this browser's WebAssembly has no SIMD, .+$/,
    `瀏覽器的 WebAssembly 不支援 SIMD，請改用 ${CHINESE_BROWSERS}`,
  ],
  [/^this browser cannot draw with (.+?): (.+)$/, "瀏覽器無法以 $1 繪圖：$2"],
  [/^this browser cannot run (.+?): (.+)$/, "瀏覽器無法執行 $1：$2"],
  [/^the model gave values that are not numbers$/, "模型算出了不是數字的值"],
  [/^(.+) gave pictures of the shape (.+)$/, "$1 給出的圖片形狀是 $2"],
];

/**
 * What models' files say of themselves, as patterns, with their groups' places in Chinese.
 *
 * @type {[RegExp, string][]}
 */
export const FACTS = [
  [/^part$/, "部分"],
  [/^generator$/, "生成器"],
  [/^recipe$/, "訓練配方"],
  [/^objective$/, "訓練目標"],
  [/^images seen$/, "看過的圖片數"],
  [/^latent$/, "潛在向量"],
  [/^(\d+) numbers, normal$/, "$1 個數，常態分布"],
  [/^(\d+) numbers, uniform$/, "$1 個數，均勻分布"],
  [/^words of (.+)$/, "$1的詞語"],
  [/^combinations$/, "組合"],
  [/^([\d,]+) of ([\d,]+), of ([\d,]+) pictures$/, "$2 種中有 $1 種，共 $3 張圖片"],
  [/^pictures$/, "圖片"],
  [/^(\d+) x (\d+) pixels$/, "$1 x $2 像素"],
  [/^value range$/, "數值範圍"],
  [/^black is (\S+), white is (\S+)$/, "黑為 $1，白為 $2"],
  [/^input$/, "輸入"],
  [/^output$/, "輸出"],
  [/^(.+): pictures as bytes$/, "$1：位元組圖片"],
  [/^weights$/, "權重"],
  [/^opset$/, "opset"],
  [/^trained on$/, "訓練資料"],
  [
    /^drawn faces that are other people's work, for research use: (\d+) x (\d+) pictures with .+$/,
    "他人繪製的臉，供研究使用：課程作業的額外資料，$1 x $2 像素，附髮色與眼睛顏色",
  ],
  [/^the pictures whose packed set has the SHA-256 (\w+)$/, "打包後 SHA-256 為 $1 的圖片集"],
  [/^not noted in its file$/, "檔案未註明"],
  [/^what (\S+) is built of$/, "$1 所含的部分"],
  [/^notices of (.+)$/, "$1 的聲明"],
  [/^the tables that normal numbers are drawn by, of numpy$/, "抽取常態分布數值用的 numpy 表格"],
  [/([\d,]*\d) in (\w+)/g, "$1 個 $2"],
];
