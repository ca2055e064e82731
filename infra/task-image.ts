/** The image the tasks run: built from the bundle when deploying, or one that exists already (`-c image=…`). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';

const ofEcr =
  /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)(?::([\w.-]+)|@(sha256:[0-9a-f]{64}))$/;

/**
 * @param uri an image with tag or digest; undefined: build from `folder`, which needs Docker when deploying, not before
 * @throws Error where there is neither
 */
export function taskImage(scope: Construct, uri: string | undefined, folder: string): ContainerImage {
  if (uri !== undefined) return existing(scope, uri);
  if (existsSync(join(folder, 'Dockerfile')))
    return ContainerImage.fromAsset(folder, { platform: Platform.LINUX_AMD64 });
  throw new Error(`${folder}/Dockerfile is missing: run node build.mjs first, or name an image with -c image=…`);
}

/** Images of ECR are pulled with the task's execution role, which must be told so. */
function existing(scope: Construct, uri: string): ContainerImage {
  const found = ofEcr.exec(uri);
  if (!found) return ContainerImage.fromRegistry(uri);
  const [, account, region, repositoryName, tag, digest] = found;
  const repositoryArn = `arn:aws:ecr:${region}:${account}:repository/${repositoryName}`;
  const repository = Repository.fromRepositoryAttributes(scope, 'Image', {
    repositoryArn,
    repositoryName: repositoryName!,
  });
  return ContainerImage.fromEcrRepository(repository, digest ?? tag);
}
