/** Class names of the well-known sets whose files do not hold them, and how such a set is recognised. */

export const fashionMnistClasses = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

export const cifar10Classes = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
] as const;

/** In the order of CIFAR-100's fine labels, which is alphabetical. */
export const cifar100Classes: readonly string[] = `
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
  caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
  forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
  mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
  possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
  sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
  willow_tree wolf woman worm`
  .trim()
  .split(/\s+/);

/** Fashion-MNIST has MNIST's file names and sizes: its first training labels tell it apart. */
const FASHION_MNIST_BEGINS = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9, 5, 5, 7, 9];

/** Names for a set of the MNIST family: Fashion-MNIST's own, or the numbers. */
export function idxClasses(trainLabels: Uint8Array): readonly string[] {
  if (FASHION_MNIST_BEGINS.every((label, i) => trainLabels[i] === label)) return fashionMnistClasses;
  const count = trainLabels.reduce((most, label) => Math.max(most, label), 0) + 1;
  return Array.from({ length: count }, (_, i) => String(i));
}
